@echo off
rem Runs ziggie in this checkout's own locked environment, and makes that environment first where it
rem is missing or out of date. The file "ziggie" beside this one does the same for other systems,
rem and says more about the why.
setlocal EnableExtensions DisableDelayedExpansion
rem Without this, a uv or python that lies in the current folder would be run.
set "NoDefaultCurrentDirectoryInExePath=1"
set "VIRTUAL_ENV="
set "PYTHONHOME="
set "PYTHONDONTWRITEBYTECODE="
set "ROOT=%~dp0"
set "VENV=%ROOT%.venv"
set "SYNCED=%VENV%\.synced"
set "MADE_IN="
if exist "%SYNCED%\root" set /p MADE_IN=<"%SYNCED%\root"

call :up_to_date || call :make_environment || exit /b 1
"%VENV%\Scripts\ziggie.exe" %*
exit /b %ERRORLEVEL%


:up_to_date
if not exist "%VENV%\Scripts\ziggie.exe" exit /b 1
if /i not "%MADE_IN%"=="%ROOT%" exit /b 1
fc /b "%ROOT%uv.lock" "%SYNCED%\uv.lock" >nul 2>&1 || exit /b 1
fc /b "%ROOT%pyproject.toml" "%SYNCED%\pyproject.toml" >nul 2>&1 || exit /b 1
exit /b 0


:make_environment
setlocal
set "LOG=%TEMP%\ziggie-setup-%RANDOM%.log"
call :find_uv || exit /b 1
rem The scripts of an environment name its folder: one that was copied or moved is made anew.
if exist "%SYNCED%\root" if /i not "%MADE_IN%"=="%ROOT%" rmdir /s /q "%VENV%"
if exist "%SYNCED%" rmdir /s /q "%SYNCED%"
>&2 echo ziggie: Setting up the environment, about half a minute the first time...
rem The caller's variables must not install less, or elsewhere.
for %%V in (UV_LOCKED UV_NO_DEV UV_NO_DEFAULT_GROUPS UV_NO_EDITABLE UV_NO_INSTALL_PROJECT UV_NO_INSTALL_LOCAL UV_WORKING_DIR) do set "%%V="
set "UV_PROJECT_ENVIRONMENT=%VENV%"
call "%UV%" sync --frozen --project "%ROOT%." >"%LOG%" 2>&1 <nul || goto failed
mkdir "%SYNCED%" || exit /b 1
copy /y "%ROOT%uv.lock" "%SYNCED%" >nul || exit /b 1
copy /y "%ROOT%pyproject.toml" "%SYNCED%" >nul || exit /b 1
rem This way of writing keeps an ampersand in the path from being taken for a command.
<nul >"%SYNCED%\root" set /p "=%ROOT%"
del "%LOG%" >nul 2>&1
exit /b 0


rem "call", because uv and python may be batch files (pyenv-win), which would not come back otherwise.
:find_uv
set "UV=uv"
call uv --version >nul 2>&1 <nul && exit /b 0
set "UV=%ROOT%.uv\uv.exe"
if exist "%UV%" call "%UV%" --version >nul 2>&1 <nul && exit /b 0
set "RECENT=import sys; sys.exit(sys.version_info < (3, 11))"
set "PY=py -3"
call %PY% -c "%RECENT%" >nul 2>&1 <nul && goto fetch_uv
rem The Microsoft Store's stub of python answers with an error, so it is passed over.
set "PY=python"
call %PY% -c "%RECENT%" >nul 2>&1 <nul && goto fetch_uv
goto no_uv


rem Fetched into a folder of its own and moved when whole: half a uv is never left behind.
:fetch_uv
>&2 echo ziggie: Fetching uv, which makes the environment, a few seconds and only once...
set "PART=%ROOT%.uv\fetch-%RANDOM%"
set "PIP_USER=0"
set "PIP_REQUIRE_VIRTUALENV=0"
call %PY% -m pip install --quiet --no-input --only-binary :all: --target "%PART%" uv >"%LOG%" 2>&1 <nul || goto failed
move /y "%PART%\bin\uv.exe" "%UV%" >nul || goto no_uv
rmdir /s /q "%PART%"
exit /b 0


:failed
type "%LOG%" >&2
if defined PART if exist "%PART%" rmdir /s /q "%PART%"
>&2 echo ziggie: Setting up the environment failed; the reason stands above.
exit /b 1


:no_uv
>&2 echo ziggie: Neither uv nor a Python 3.11 or newer was found. Install uv with this command,
>&2 echo ziggie: then open a new window and run the same command again:
>&2 echo   powershell -ExecutionPolicy ByPass -c "irm https://astral.sh/uv/install.ps1 | iex"
exit /b 1
